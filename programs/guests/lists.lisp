; Lists: filtering, appending, sorting, and the prime numbers.

(define (filter good? xs)
  (cond ((null? xs) nil)
        ((good? (car xs)) (cons (car xs) (filter good? (cdr xs))))
        (else (filter good? (cdr xs)))))

(define (append xs ys)
  (if (null? xs) ys (cons (car xs) (append (cdr xs) ys))))

(define (sort xs)
  (if (null? xs)
      nil
      (let ((first (car xs)))
        (append (sort (filter (lambda (x) (< x first)) (cdr xs)))
                (cons first
                      (sort (filter (lambda (x) (>= x first)) (cdr xs))))))))

(sort '(31 -4 15 92 65 35 -89 79 3 2))

(define (range from to)
  (if (> from to) nil (cons from (range (+ from 1) to))))

(define (primes xs)
  (if (null? xs)
      nil
      (cons (car xs)
            (primes (filter (lambda (x) (not (= 0 (remainder x (car xs)))))
                            (cdr xs))))))

(primes (range 2 50))

(define (compose f g) (lambda (x) (f (g x))))
(map (compose (lambda (x) (* x x)) abs) (range -3 3))
