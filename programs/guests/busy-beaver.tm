; The busy beaver with four states: no machine of its size that stops writes more ones
A _ 1 R B
A 1 1 L B
B _ 1 L A
B 1 _ L C
C _ 1 R H
C 1 1 L D
D _ 1 R D
D 1 _ R A
