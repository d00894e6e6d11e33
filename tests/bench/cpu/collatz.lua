-- Lua 5.4 has integers and //, LuaJIT has neither.
local half = math.type and load("return function(n) return n // 2 end")() or function(n) return n / 2 end
local function longest(limit)
    local lengths = {1}
    local best, best_start = 1, 1
    for start = 2, limit - 1 do
        local n, steps = start, 0
        while n >= start do
            if n % 2 == 0 then n = half(n) else n = 3 * n + 1 end
            steps = steps + 1
        end
        lengths[start] = steps + lengths[n]
        if lengths[start] > best then best, best_start = lengths[start], start end
    end
    return best_start, best
end
print(longest(1500000))
