; A Lisp evaluator written in Lisp, which evaluates a recursive function.

; value: the value of x where names stand for what the list of pairs env says
(define (value x env)
  (cond ((number? x) x)
        ((symbol? x) (look-up x env))
        ((eq? (car x) 'quote) (second x))
        ((eq? (car x) 'if)
         (if (value (second x) env) (value (third x) env) (value (third (cdr x)) env)))
        ((eq? (car x) 'lambda) (list 'closure (second x) (third x) env))
        (else (call (value (car x) env) (values (cdr x) env)))))

(define (call f args)
  (if (pair? f)
      (value (third f) (bind (second f) args (third (cdr f))))
      (apply f args)))

(define (values xs env) (map (lambda (x) (value x env)) xs))
(define (second x) (car (cdr x)))
(define (third x) (car (cdr (cdr x))))
(define (look-up x env)
  (if (eq? x (car (car env))) (cdr (car env)) (look-up x (cdr env))))
(define (bind names args env)
  (if (null? names)
      env
      (cons (cons (car names) (car args)) (bind (cdr names) (cdr args) env))))

(define functions
  (list (cons '= =) (cons '+ +) (cons '- -) (cons '* *) (cons 'cons cons)))

; seven factorial, by a function that is given itself, since lambda is all there is
(value '((lambda (fact) (fact fact 7))
         (lambda (self n) (if (= n 0) 1 (* n (self self (- n 1))))))
       functions)

; and a closure that remembers
(value '(((lambda (x) (lambda (y) (cons x (cons y (quote ()))))) 1) 2)
       functions)
