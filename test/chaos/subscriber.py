"""A subscriber process by the Python implementation: as subscriber.ts, with a thread for each section."""
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "src" / "wire" / "python"))
from patchwire_subscriber import Subscriber  # noqa: E402

url, partition, sections = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
lock = threading.Lock()
checked = 0


def say(answer):
    with lock:
        print(json.dumps(answer), flush=True)


class Followed:
    """What a section's thread said of itself when it was last told something; documents are asked for, and come with the next heartbeat."""

    def __init__(self, section):
        self.section, self.standing, self.wanted, self.marks = section, None, [], []
        self.subscriber = Subscriber(url, partition, section)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            self.subscriber.run(self.on_status)
        except BaseException as error:
            say({"violation": "the thread of %s ended: %r" % (self.section, error)})
            raise

    def on_status(self):
        subscriber, equal = self.subscriber, not self.subscriber.reasons
        chain, facts = subscriber.chain, subscriber.facts
        self.standing = {"equal": equal, "status": subscriber.status, "reasons": subscriber.reasons,
                         "upTo": facts.get("upTo") if subscriber.status == "live" else None,
                         "last": chain.last if chain else None, "epoch": chain.epoch if chain else None}
        if equal and self.marks:
            self.check(int(facts["upTo"]) if facts["upTo"] else -1)
        if subscriber.status == "live":
            while self.wanted:
                say({"id": self.wanted.pop(0), "equal": equal, "documents": list(subscriber.documents.items())})
        if subscriber.status != "live":
            print(time.strftime("%H:%M:%S"), self.section, subscriber.status, subscriber.why, file=sys.stderr, flush=True)

    def check(self, up_to):
        global checked
        held = self.subscriber.documents
        for mark in list(self.marks):
            if int(mark["version"]) > up_to:
                continue
            self.marks.remove(mark)
            checked += 1
            n = held.get(str(mark["writer"]), {}).get("N", -1)
            if n < mark["n"]:
                say({"violation": "it calls itself equal with upTo %d, but %s %d is %d: at version %s it was %d" % (
                    up_to, self.section, mark["writer"], n, mark["version"], mark["n"])})


followed = {section: Followed(section) for section in sections}
for line in sys.stdin:
    question = json.loads(line)
    if question["do"] == "marks":
        followed["marks"].marks.extend(question["marks"])
    elif question["do"] == "forget":
        followed["marks"].marks.clear()
    elif question["do"] == "standing":
        missing = {"equal": False, "status": "starting", "reasons": ["starting"], "upTo": None, "last": None, "epoch": None}
        say({"id": question["id"], "sections": {name: each.standing or missing for name, each in followed.items()},
             "checked": checked})
    else:
        followed[question["section"]].wanted.append(question["id"])
