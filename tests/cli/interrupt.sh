# Ctrl-C: a KeyboardInterrupt in the script, 130 when nobody catches it; inside asyncio.run the main task is cancelled.
cat >plain.aio <<'END'
import time
print("ready", flush=True)
try:
    time.sleep(60)
finally:
    print("cleaned up")
END
cat >busy.aio <<'END'
print("ready", flush=True)
try:
    while True:
        pass
except KeyboardInterrupt:
    print("caught")
END
cat >tasks.aio <<'END'
import asyncio

async def main():
    print("ready", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled")
        raise

asyncio.run(main())
END
# A shell without job control has background processes ignore Ctrl-C: env resets that.
for script in plain busy tasks; do
    : >out.txt # else the last round's "ready" would do
    env --default-signal=INT "$AIO" $script.aio >out.txt 2>err.txt &
    until grep -q ready out.txt; do
        kill -0 $! 2>/dev/null || break
        sleep 0.05
    done
    kill -INT $!
    wait $!
    echo "status $?"
    cat out.txt
    tail -n 1 err.txt
done
