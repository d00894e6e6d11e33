local function ackermann(m, n)
    if m == 0 then return n + 1 end
    if n == 0 then return ackermann(m - 1, 1) end
    return ackermann(m - 1, ackermann(m, n - 1))
end
local function tribonacci(n)
    if n < 3 then return 1 end
    return tribonacci(n - 1) + tribonacci(n - 2) + tribonacci(n - 3)
end
print(ackermann(2, 300), tribonacci(28))
