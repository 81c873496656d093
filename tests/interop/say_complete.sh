#!/bin/sh
# aria2 runs this when a download is complete; its output lands in aria2's own
echo "The download was complete"
