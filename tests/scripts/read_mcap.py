"""Opens recordings with the field's own Python package and counts what is in them.

Usage: read_mcap.py FILE...
Prints one JSON object: for each file the messages that its summary promises, those that a reader finds by the summary's
index, and those that it finds reading from the start, by topic.
"""

import json
import sys
from collections import Counter

from mcap.reader import NonSeekingReader, make_reader


def counted(path):
    with open(path, "rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        topics = {channel.id: channel.topic for channel in summary.channels.values()}
        promised = {topics[id]: count for id, count in summary.statistics.channel_message_counts.items()}
        indexed = Counter(channel.topic for _, channel, _ in reader.iter_messages())
    with open(path, "rb") as file:
        streamed = Counter(channel.topic for _, channel, _ in NonSeekingReader(file, validate_crcs=True).iter_messages())
    return {"promised": promised, "indexed": indexed, "streamed": streamed}


print(json.dumps({path: counted(path) for path in sys.argv[1:]}))
