# --shuffle, --seed, --find-race
cat >race.aio <<'X'
import asyncio
n = 0
async def add(i):
    global n
    t = n
    if i == 2:
        await asyncio.sleep(0)
    n = t + i
async def main():
    await asyncio.gather(*(add(i) for i in range(4)))
    print("n", n)
asyncio.run(main())
X
cat >fine.aio <<'X'
import asyncio
async def main():
    print(sum(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(4)))))
asyncio.run(main())
X
"$AIO" race.aio
"$AIO" --find-race 50 race.aio | sed 's/[0-9][0-9]*/N/g'
echo "status ${PIPESTATUS[0]}"
"$AIO" --find-race 10 fine.aio
echo "status $?"
seed=$("$AIO" --find-race 50 race.aio | sed -n 's/^aio: seed \([0-9]*\) .*/\1/p')
[ "$("$AIO" --shuffle --seed "$seed" race.aio)" != "$("$AIO" race.aio)" ] && echo "the seed shows it"
[ "$("$AIO" --shuffle --seed "$seed" race.aio)" = "$("$AIO" --shuffle --seed "$seed" race.aio)" ] && echo "every time"
"$AIO" --find-race x race.aio 2>&1 | head -n 1
"$AIO" --seed 2>&1 | head -n 1
