#!/usr/bin/python3
"""The smallest correct subscriber: one section of patchwire as a copy in memory that is equal, or says why it is not.

Written from src/wire/README.md, whose steps it names; needs python3-redis (4.3 or newer) and a Redis, nothing else. As a program it prints
a JSON line whenever its standing changes and at every heartbeat. As a module: Subscriber(url, partition, section).run(on_status).
"""
import argparse
import copy
import hashlib
import json
import random
import sys
import time
from collections import namedtuple

import redis

MESSAGE_VERSION, STORE_FORMAT = 1, 2
META = ["format", "epoch", "seq", "last", "tip", "checkpoint", "upTo", "state", "digest", "pending", "incomplete"]
PAGE_ROWS, REMEMBERED = 100, 1024

OPTIONAL = (str, type(None))
FORMS = {
    "changes": {"epoch": str, "seq": int, "id": str, "prevId": str, "checkpoint": str, "upTo": OPTIONAL, "changes": list},
    "reset": {"epoch": str, "seq": int, "id": str, "prevId": str, "phase": str, "reason": str, "state": str},
    "heartbeat": {"epoch": str, "seq": int, "last": str, "intervalMs": (int, float), "checkpoint": str, "upTo": OPTIONAL,
                  "state": str, "digest": str, "quarantined": int},
    "removed": {"epoch": str, "reason": str},
}
CHANGE = {"dataKey": str, "op": str, "versionId": str, "prevVersionId": OPTIONAL, "changeVersion": str, "patch": list}
OPERATION = {"op": str, "path": str}

Row = namedtuple("Row", "data_key version document")


class Gap(Exception): "Something does not follow what was applied last: replay (step 6)."
class Reset(Exception): "What is held does not count any more: load (step 3)."
class Await(Exception): "The section cannot be loaded now: wait, then load."
class Deaf(Exception): "Nothing was heard for too long: subscribe anew, then replay."
class Invalid(Exception): "A text that is no message."
class TooNew(Exception): "A newer patchwire wrote it: stop, and say so."


def has_form(value, form):
    return isinstance(value, dict) and all(isinstance(value.get(name, ...), kind) for name, kind in form.items())


def parse_message(text):
    """A message as a dict. Fields that are not known are ignored."""
    try:
        message = json.loads(text)
    except ValueError:
        raise Invalid("not JSON")
    if not has_form(message, {"v": int, "type": str}):
        raise Invalid("no message")
    if message["v"] > MESSAGE_VERSION:
        raise TooNew("message version %d" % message["v"])
    changes = message["changes"] if message["type"] == "changes" and has_form(message, FORMS["changes"]) else []
    if not has_form(message, FORMS.get(message["type"], {"": str})) or not all(
            has_form(change, CHANGE) and change["op"] in ("upsert", "remove", "unavailable")
            and all(has_form(operation, OPERATION) for operation in change["patch"]) for change in changes):
        raise Invalid("another form")
    return message


def patched(document, patch):
    """The document after an RFC 6902 patch of add, replace and remove; None: there is none. The document given stays as it is."""
    root = {"": copy.deepcopy(document)}
    for operation in patch:
        path = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")]
        op, parent, name = operation["op"], root, path[-1]
        for part in path[:-1]:
            parent = parent[int(part) if isinstance(parent, list) else part]
        if isinstance(parent, list):
            name = len(parent) if name == "-" else int(name)
            if op == "add" and 0 <= name <= len(parent):
                parent.insert(name, None)
        elif op == "add":
            parent[name] = None
        parent[name]  # Raises where there is nothing to replace or remove.
        if op == "remove":
            del parent[name]
        else:
            parent[name] = copy.deepcopy(operation["value"])
    return root.get("")


def later(a, b):
    """The greater of two versions; None is below all. They are decimal texts: 9 is less than 10."""
    return a if b is None or (a is not None and int(a) >= int(b)) else b


class Copy:
    """Rows by identity, and their digest, kept as they come and go."""

    def __init__(self):
        self.rows, self.sum = {}, 0

    @property
    def digest(self):
        return "%016x" % self.sum

    def put(self, identity, row):
        for each in (self.rows.pop(identity, None), row):
            if each is not None:
                self.sum ^= int.from_bytes(hashlib.sha256(("%s\0%s" % (identity, each.version)).encode()).digest()[:8], "big")
        if row is not None:
            self.rows[identity] = row

    def apply(self, changes, rule):
        """All changes of a message or none. rule(identity) is strict, lenient or skip (step 4)."""
        staged = {}
        for change in changes:
            identity = change.get("identity", change["dataKey"])
            how = rule(identity)
            old = staged[identity] if identity in staged else self.rows.get(identity)
            fits = change["prevVersionId"] == (old and old.version)
            if how == "skip" or (how == "lenient" and not fits):
                continue
            if not fits:
                raise Reset("diverged: a change of %s does not follow" % change["dataKey"])
            try:
                document = patched(old and old.document, change["patch"]) if change["op"] == "upsert" else None
            except (LookupError, TypeError, ValueError):
                raise Reset("diverged: the patch of %s does not fit" % change["dataKey"])
            staged[identity] = None if document is None else Row(change["dataKey"], change["versionId"], document)
        for identity, row in staged.items():
            self.put(identity, row)


class Chain:
    """Which message was applied last, and which before it."""

    def __init__(self, view):
        self.epoch, self.seq, self.last = view["epoch"], view["seq"], view["last"]
        self.ids = {self.seq: self.last}

    def next(self, message):
        """Whether it follows. A reset that does, of whatever epoch, ends what is held."""
        if message["prevId"] != self.last or message["seq"] <= self.seq:
            return False
        if message["type"] == "reset":
            raise Await("section loading") if message["phase"] == "begin" else Reset("announced: " + message["reason"])
        return message["epoch"] == self.epoch

    def advance(self, message):
        self.seq, self.last = message["seq"], message["id"]
        self.ids[self.seq] = self.last
        if len(self.ids) > REMEMBERED:
            del self.ids[next(iter(self.ids))]

    def stale(self, message):
        """Sent before what was just read ended: it says nothing that is not known."""
        if "id" in message:
            return message["seq"] <= self.seq and (message["epoch"] != self.epoch or message["seq"] not in self.ids)
        return message["type"] == "heartbeat" or message["epoch"] != self.epoch


class Subscriber:
    def __init__(self, url, partition, section):
        tag = "{%s:%s}" % (partition, section)
        self.document, self.channel = tag + ":", "__dataChanged:" + tag
        self.index, self.meta, self.changes, self.quarantine = (tag + name for name in ("/index", "/meta", "/changes", "/quarantine"))
        self.redis = redis.Redis.from_url(url, decode_responses=True, socket_timeout=10, socket_connect_timeout=10)
        self.copy, self.chain, self.facts = Copy(), None, {}
        self.status, self.why, self.on_status = "disconnected", "disconnected", lambda: None
        self.attempts, self.interval, self.silences, self.heard = 0, 5.0, 0, 0.0

    @property
    def documents(self):
        """By data key, as its row spells it. Only while `equal` are they what is published."""
        return {row.data_key: row.document for row in self.copy.rows.values()}

    @property
    def reasons(self):
        """Why this copy is not equal to what is published (step 10); empty: it is."""
        if self.status != "live":
            return [self.why]
        facts = self.facts
        found = {"section " + facts["state"]: facts["state"] != "live", "pending script": facts["pending"],
                 "rows quarantined": facts["quarantined"] > 0, "section incomplete": facts["incomplete"]}
        return [reason for reason, holds in found.items() if holds]

    def tell(self, status, why=None):
        self.status, self.why = status, why or status
        self.on_status()

    # Reading (steps 2 to 4): each MULTI is one moment.

    def read(self, *commands):
        """Meta at the moment of the commands (None: there is no section), and their replies."""
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.hmget(self.meta, META).hlen(self.quarantine)
            for command in commands:
                pipe.execute_command(*command)
            values, quarantined, *replies = pipe.execute()
        view = dict(zip(META, values))
        if view["format"] is None:
            return None, replies
        if int(view["format"]) > STORE_FORMAT:
            raise TooNew("store format " + view["format"])
        view.update(seq=int(view["seq"]), upTo=view["upTo"] or None, pending=bool(view["pending"]),
                    incomplete=bool(view["incomplete"]), quarantined=quarantined)
        return view, replies

    def pages(self):
        """(view, rows) until every name of the index was read. The last page is empty: its meta was read after the scan had ended."""
        seen, cursor = set(), None
        while cursor != 0:
            cursor, entries = self.redis.hscan(self.index, cursor or 0, count=PAGE_ROWS)
            names = {identity: spelled(identity, value) for identity, value in entries.items() if identity not in seen}
            seen.update(names)
            yield from self.page(names)
        yield self.read()[0], {}

    def page(self, names):
        for _ in range(10):
            if not names:
                return
            view, (entries, documents) = self.read(["HMGET", self.index, *names],
                                                   ["MGET", *(self.document + data_key for data_key in names.values())])
            rows, respelled = {}, {}
            for (identity, data_key), value, text in zip(names.items(), entries, documents):
                if value is None:
                    rows[identity] = None
                elif spelled(identity, value) != data_key:
                    respelled[identity] = spelled(identity, value)
                else:
                    try:
                        rows[identity] = Row(data_key, value.partition(" ")[0], json.loads(text))
                    except (TypeError, ValueError):
                        raise Reset("damaged: the document of %s is not there, or no JSON" % data_key)
            yield view, rows
            names = respelled
        raise Reset("a key is respelled again and again")

    # Loading and replaying (steps 3 to 6).

    def load(self):
        self.chain = None
        self.tell("loading")
        first = newest = self.read()[0]
        if first is None or first["state"] == "loading" or first["pending"]:
            raise Await("section missing" if first is None else "pending script" if first["pending"] else "section loading")
        stage, page_of, ids = Copy(), {}, {}
        for view, rows in self.pages():
            if (view is None or view["pending"] or view["epoch"] != first["epoch"] or view["state"] != first["state"]
                    or view["seq"] < newest["seq"]
                    or view["seq"] == newest["seq"] and (view["tip"], view["last"]) != (newest["tip"], newest["last"])):
                raise Reset("the pages are not of one history")
            newest = view
            if view["seq"] > first["seq"]:
                ids[view["seq"]] = view["last"]
            for identity, row in rows.items():
                stage.put(identity, row)
                page_of[identity] = view["seq"]

        def rule(seq, identity):
            return "lenient" if identity not in page_of else "skip" if seq <= page_of[identity] else "strict"

        chain = Chain(first)
        self.facts = self.catch_up(stage, chain, rule, ids)
        self.copy, self.chain = stage, chain
        self.tell("live")

    def replay(self):
        self.tell("replaying")
        view = self.catch_up(self.copy, self.chain, lambda seq, identity: "strict", {})
        view["upTo"] = None if view["incomplete"] else later(view["upTo"], self.facts["upTo"])
        self.facts = view
        self.tell("live")

    def catch_up(self, held, chain, rule, ids):
        """Applies what the stream has behind the last message, or shows that this cannot be done. `ids` must be met on the way."""
        view, (entries,) = self.read(["XRANGE", self.changes, "0-%d" % chain.seq, "+"])
        if view is None or (view["epoch"] == chain.epoch and view["state"] == "loading"):
            raise Await("section missing" if view is None else "section loading")
        if view["epoch"] != chain.epoch:
            raise Reset("another epoch")
        try:
            messages = [parse_message(fields["message"]) for _, fields in entries]
        except (Invalid, KeyError):
            raise Reset("the stream holds what is no message")
        if view["seq"] < chain.seq or (view["seq"] == chain.seq and view["last"] != chain.last):
            raise Reset("rewound")
        for message in messages:
            if message["seq"] == chain.seq and message["id"] == chain.last:
                continue
            if not chain.next(message):
                raise Reset("rewound" if message["seq"] <= chain.seq else "trimmed")
            held.apply(message["changes"], lambda identity: rule(message["seq"], identity))
            chain.advance(message)
            if ids.pop(chain.seq, chain.last) != chain.last:
                raise Reset("the pages are not of the history that the stream has")
        if chain.last != view["last"] or ids:
            raise Reset("trimmed")
        if not view["pending"] and held.digest != view["digest"]:
            raise Reset("diverged: the digest is %s, published is %s" % (held.digest, view["digest"]))
        return view

    # Messages (steps 7 and 8).

    def receive(self, message):
        chain, facts = self.chain, self.facts
        if message["type"] == "heartbeat":
            self.on_heartbeat(message)
        elif message["type"] == "removed":
            raise Await("section missing") if message["epoch"] == chain.epoch else Gap("epoch")
        elif chain.next(message):
            self.copy.apply(message["changes"], lambda identity: "strict")
            chain.advance(message)
            facts.update(checkpoint=message["checkpoint"], upTo=later(facts["upTo"], message["upTo"]),
                         state=message.get("state", facts["state"]))
            if any(change["op"] == "unavailable" for change in message["changes"]):
                facts["quarantined"] = max(1, facts["quarantined"])
            if "state" in message:
                self.tell("live")
        elif message["epoch"] != chain.epoch or chain.ids.get(message["seq"]) != message["id"]:
            raise Gap("missed")

    def on_heartbeat(self, message):
        chain, facts, incomplete = self.chain, self.facts, message.get("incomplete") is not None
        self.heard, self.silences, self.interval = time.monotonic(), 0, min(3600.0, max(0.1, message["intervalMs"] / 1000))
        if message["epoch"] != chain.epoch or message["last"] != chain.last:
            raise Gap("heartbeat")
        if message["digest"] != self.copy.digest:
            raise Reset("diverged: the digest is %s, published is %s" % (self.copy.digest, message["digest"]))
        facts.update(checkpoint=later(facts["checkpoint"], message["checkpoint"]), state=message["state"], pending=False,
                     upTo=None if incomplete else later(facts["upTo"], message["upTo"]), quarantined=message["quarantined"],
                     incomplete=incomplete)
        self.attempts = 0
        self.tell("live")

    # The loop (steps 1, 8 and 9).

    def run(self, on_status=lambda: None):
        """Follows the section until a newer patchwire has written it (TooNew). `on_status` is called whenever `tell` is."""
        self.on_status = on_status
        while True:
            try:
                with self.redis.pubsub() as channel:
                    self.listen(channel)
            except Deaf:
                self.silences = min(2, self.silences + 1)
            except redis.RedisError as error:
                self.tell("disconnected", "disconnected: %s" % error)
                self.attempts += 1
                self.wait()

    def listen(self, channel):
        channel.subscribe(self.channel)
        if (channel.get_message(timeout=10) or {}).get("type") != "subscribe":
            raise redis.ConnectionError("the channel was not subscribed")
        step = self.load if self.chain is None else self.replay
        while True:
            try:
                if self.attempts > 0:
                    self.wait()
                self.attempts += 1
                step()
                self.follow(channel)
            except Gap:
                step = self.replay
            except (Reset, Await) as reason:
                self.chain, step = None, self.load
                self.tell("waiting", str(reason))

    def follow(self, channel):
        self.heard, draining = time.monotonic(), True
        while True:
            left = self.heard + 3 * self.interval * 2 ** self.silences - time.monotonic()
            if left <= 0:
                raise Deaf()
            received = channel.get_message(timeout=0 if draining else left)
            if received is None:
                draining = False
            elif received["type"] == "subscribe":
                raise Gap("the client has connected anew")
            elif received["type"] == "message":
                try:
                    message = parse_message(received["data"])
                except (Invalid, TooNew):
                    raise Gap("anybody may put anything on a channel: only meta and stream can say that the publisher is newer")
                if not (draining and self.chain.stale(message)):
                    self.receive(message)

    def wait(self):
        """Longer each time, with jitter: 50 ms to 5 s (step 9). A heartbeat that agrees ends the growth."""
        time.sleep(random.uniform(0.05, min(5.0, 0.05 * 2 ** min(10, self.attempts))))


def spelled(identity, value):
    """The data key of an index entry: behind a space where it is spelled differently."""
    return value.partition(" ")[2] or identity


def main():
    parser = argparse.ArgumentParser(description="Follows one section of patchwire and prints its standing as JSON lines.")
    parser.add_argument("--redis", default="redis://127.0.0.1:6379", help="default: %(default)s")
    parser.add_argument("--partition", required=True)
    parser.add_argument("--section", required=True)
    parser.add_argument("--documents", action="store_true", help="print the whole copy with every line")
    options = parser.parse_args()
    subscriber = Subscriber(options.redis, options.partition, options.section)

    def show():
        line = {"status": subscriber.status, "equal": not subscriber.reasons, "reasons": subscriber.reasons}
        if subscriber.status == "live":
            chain, held, facts = subscriber.chain, subscriber.copy, subscriber.facts
            line.update(epoch=chain.epoch, seq=chain.seq, last=chain.last, checkpoint=facts["checkpoint"], upTo=facts["upTo"],
                        size=len(held.rows), digest=held.digest, **({"documents": subscriber.documents} if options.documents else {}))
        print(json.dumps(line), flush=True)

    try:
        subscriber.run(show)
    except TooNew as error:
        sys.exit("written by a newer patchwire: %s" % error)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
