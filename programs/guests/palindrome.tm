; Tells whether a text of a and b is a palindrome, by taking equal ends away
0 a _ R A
0 b _ R B
0 _ y S Y
A a a R A
A b b R A
A _ _ L C
B a a R B
B b b R B
B _ _ L D
C a _ L E
C b n S N
C _ y S Y
D b _ L E
D a n S N
D _ y S Y
E a a L E
E b b L E
E _ _ R 0

abbabba
