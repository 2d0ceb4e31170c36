10 REM A table of the Fibonacci numbers, their squares modulo 1000 and their factors of 2
20 PRINT "N", "F(N)", "SQUARE", "TWOS"
30 A = 0 : B = 1
40 FOR N = 1 TO 23
50 GOSUB 100
60 PRINT N, B, S, K
70 T = A + B : A = B : B = T
80 NEXT N
90 END
100 REM S = B * B MOD 1000, digit by digit, and K = how often 2 divides B
110 R = B MOD 1000 : S = 0
120 FOR I = 1 TO 3
130 D = R / 100 : R = R MOD 100 * 10
140 S = (S * 10 + D * (B MOD 1000)) MOD 1000
150 NEXT I
160 K = 0 : Q = B
170 IF Q MOD 2 = 0 THEN Q = Q / 2 : K = K + 1 : GOTO 170
180 RETURN
RUN
