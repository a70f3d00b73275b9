# The script of template `build`: the repository's own recipe, run in its folder.
#
#   .cijob/build   if it is executable: it is the build, whatever it is written in
#   make           else, if there is a makefile; arguments go to either
#
# What runs replaces this shell: output, exit code and signals are its own. Without a recipe the
# exit code is 66, and the job's message says so, by the container's termination message.
set -eu
if [ -f .cijob/build ] && [ -x .cijob/build ]; then
    exec ./.cijob/build "$@"
fi
for makefile in GNUmakefile makefile Makefile; do
    if [ -f "$makefile" ]; then
        exec make "$@"
    fi
done
if [ -e .cijob/build ]; then
    words='NoBuildRecipe: .cijob/build is not executable; git update-index --chmod=+x .cijob/build'
else
    words='NoBuildRecipe: there is neither .cijob/build nor a makefile; add one of them'
fi
echo "cijob: $words" >&2
if [ -w /dev/termination-log ]; then
    echo "$words" >/dev/termination-log
fi
exit 66
