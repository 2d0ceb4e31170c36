; A universal Turing machine: a small machine stands on its tape, in front of that machine's own tape
;
; The small machine has two symbols, 0 and 1. On the tape a block describes each of its states, and a `:` or, in front
; of the state it is in, a `*` begins one. A block has two entries, for reading 0 and for reading 1, with a `,` between
; them. An entry says what is written, where the head goes (L or R) and the next state: `ii` is the second one, and no i
; at all ends the run. Behind the `#` is the small machine's tape, with a for 0 and b for 1 where its head is. So
;
;     *1Rii,1Lii:1Li,1R#a
;
; is the busy beaver with two states, on an empty tape. In the end four ones are behind the `#`.
; Go right to the small machine's head, and see what it reads.
S : : R S
S * * R S
S , , R S
S 0 0 R S
S 1 1 R S
S L L R S
S R R R S
S i i R S
S # # R S
S a a L P
S b b L Q
; It reads 0: the entry is the first one of the block with the star.
P : : L P
P , , L P
P 0 0 L P
P 1 1 L P
P L L L P
P R R L P
P i i L P
P # # L P
P * * R T
; It reads 1: the entry is the second one.
Q : : L Q
Q , , L Q
Q 0 0 L Q
Q 1 1 L Q
Q L L L Q
Q R R L Q
Q i i L Q
Q # # L Q
Q * * R C
C 0 0 R C
C 1 1 R C
C L L R C
C R R R C
C i i R C
C , , R T
; Read the entry: what to write, and where to go. Its L or R becomes l or r, the mark of the entry.
T 0 0 R U
T 1 1 R V
U L l R W
U R r R X
V L l R Y
V R r R Z
; Carry that to the head: 0 and left, 0 and right, 1 and left, 1 and right.
W : : R W
W , , R W
W 0 0 R W
W 1 1 R W
W L L R W
W R R R W
W i i R W
W # # R W
W a 0 L G
W b 0 L G
X : : R X
X , , R X
X 0 0 R X
X 1 1 R X
X L L R X
X R R R X
X i i R X
X # # R X
X a 0 R H
X b 0 R H
Y : : R Y
Y , , R Y
Y 0 0 R Y
Y 1 1 R Y
Y L L R Y
Y R R R Y
Y i i R Y
Y # # R Y
Y a 1 L G
Y b 1 L G
Z : : R Z
Z , , R Z
Z 0 0 R Z
Z 1 1 R Z
Z L L R Z
Z R R R Z
Z i i R Z
Z # # R Z
Z a 1 R H
Z b 1 R H
; The head's new cell, to the right or to the left.
H 0 a L E
H _ a L E
H 1 b L E
G 0 a L E
G 1 b L E
G # # R K
; There is none to the left: the whole tape moves by one cell.
K 0 a R M
K 1 a R N
M 0 0 R M
M 1 0 R N
M _ 0 L E
N 0 1 R M
N 1 1 R N
N _ 1 L E
; Back to the mark. If no i follows, the small machine has ended, and so has this one: it stops here.
E : : L E
E , , L E
E 0 0 L E
E 1 1 L E
E L L L E
E R R L E
E i i L E
E # # L E
E a a L E
E l l R F
E r r R F
F i j L D
; The first i becomes a j, and the star goes to the first block.
D 0 0 L D
D 1 1 L D
D l l L D
D r r L D
D , , L D
D i i L D
D L L L D
D R R L D
D * : L A
A : : L A
A , , L A
A 0 0 L A
A 1 1 L A
A L L L A
A R R L A
A i i L A
A _ _ R B
B : * R I
; Go to the mark, and to the next i behind the j's.
I : : R I
I * * R I
I , , R I
I 0 0 R I
I 1 1 R I
I L L R I
I R R R I
I i i R I
I l l R J
I r r R J
J j j R J
J i j L O
J , , L c
J : : L c
J * * L c
J # # L c
; It becomes a j, and the star goes to the next block.
O : : L O
O * * L O
O , , L O
O 0 0 L O
O 1 1 L O
O L L L O
O R R L O
O l l L O
O r r L O
O i i L O
O j j L O
O _ _ R d
d : : R d
d , , R d
d 0 0 R d
d 1 1 R d
d L L R d
d R R R d
d i i R d
d l l R d
d r r R d
d j j R d
d * : R e
e , , R e
e 0 0 R e
e 1 1 R e
e L L R e
e R R R e
e i i R e
e l l R e
e r r R e
e j j R e
e : * L f
f : : L f
f , , L f
f 0 0 L f
f 1 1 L f
f L L L f
f R R L f
f i i L f
f l l L f
f r r L f
f j j L f
f _ _ R I
; No more: the j's and the mark become what they were, and the next step begins.
c j i L c
c l L R S
c r R R S

*1Rii,1Lii:1Li,1R#a
