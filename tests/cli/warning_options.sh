# -W decides what becomes of warnings; the last one counts first.
cat >warn.aio <<'END'
import warnings
warnings.warn("careful")
warnings.warn("old", DeprecationWarning)
print("end")
END
for options in "" "-W ignore" "-W error" "-Wignore -Wdefault" "-W error::DeprecationWarning" "-W ignore::UserWarning"; do
    echo "with ${options:-none}:"
    "$AIO" $options warn.aio 2>&1 | grep -oE 'UserWarning: .*|DeprecationWarning: .*|end'
done
