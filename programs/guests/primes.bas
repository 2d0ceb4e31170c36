10 REM The primes up to N, by the sieve of Eratosthenes
20 N = 100
30 DIM C(N)
40 FOR I = 2 TO N
50 IF C(I) THEN 90
60 PRINT I,
70 IF I * I > N THEN 90
80 FOR J = I * I TO N STEP I : C(J) = 1 : NEXT J
90 NEXT I
100 PRINT
RUN
