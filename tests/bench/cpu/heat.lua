-- Heat flowing through a bar and a plate: float arithmetic on tables.
local function bar(n, steps)
  local old, new = {}, {}
  for i = 0, n - 1 do old[i] = i * 37 % 101 * 1.0; new[i] = old[i] end
  for _ = 1, steps do
    for i = 1, n - 2 do new[i] = old[i] + 0.2 * (old[i - 1] - 2.0 * old[i] + old[i + 1]) end
    old, new = new, old
  end
  local s = 0
  for i = 0, n - 1 do s = s + old[i] end
  return s
end
local function plate(n, steps)
  local a = {}
  for i = 0, n - 1 do
    a[i] = {}
    for j = 0, n - 1 do a[i][j] = 1.0 * ((i * j) % 7) end
  end
  for _ = 1, steps do
    local b = {}
    for i = 0, n - 1 do
      local row, copy = a[i], {}
      for j = 0, n - 1 do copy[j] = row[j] end
      b[i] = copy
    end
    for i = 1, n - 2 do
      local up, row, down, out = a[i - 1], a[i], a[i + 1], b[i]
      for j = 1, n - 2 do out[j] = (up[j] + down[j] + row[j - 1] + row[j + 1]) / 4 end
    end
    a = b
  end
  local s = 0
  for i = 0, n - 1 do local t = 0; for j = 0, n - 1 do t = t + a[i][j] end; s = s + t end
  return s
end
print(string.format("heat %.6f %.6f", bar(1000, 2500), plate(80, 350)))
