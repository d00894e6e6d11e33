# Standard input read as a session: values shown, errors reported, on to the next input.
"$AIO" -i <<'IN'
x = 6
x * 7
_ + 1
None
1 / 0
def f(n):
    return n / 0

f(3)
if x:
    'shown'
else:
    'not'

"not closed
x = = 1
async def g():
    await asyncio.sleep(.01)
    return 'g is done'

await g()
t = asyncio.create_task(g())
await t
input()
the line that input() reads
async for i in ticks(): pass

for i in range(3): i

# a comment
raise SystemExit(3)
print('not reached')
IN
echo "status $?"
printf 'x = 5\nx' | "$AIO" -i 2>/dev/null
echo 'print("a script: no prompts")' | "$AIO"
