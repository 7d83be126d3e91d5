#!/bin/sh
# Shows that the image's files and settings arrived, and that the container is a small machine of its own.
echo "$GREETING"
echo "kernel: $(cat /srv/hello/kernel), shared with the host"
echo "processes here: $(ls -d /proc/[0-9]* | wc -l), this one has pid $$"
