"""What an application does through redis-py: SECTION PORT PROTOCOL, prints "all fine"."""

import sys
import threading
import time

import redis


def strings(r, connect):
    assert r.ping()
    assert r.set("k", b"a\x00\r\n\xff")
    assert r.get("k") == b"a\x00\r\n\xff"
    assert r.get("missing") is None
    assert r.set("k", "v", nx=True) is None
    assert r.set("k", "v", xx=True, get=True) == b"a\x00\r\n\xff"
    assert r.incrby("n", 41) == 41 and r.incr("n") == 42
    assert r.incrbyfloat("f", 0.5) == 0.5
    assert r.mset({"a": 1, "b": 2}) and r.mget("a", "b", "c") == [b"1", b"2", None]
    assert r.append("a", "23") == 3 and r.getrange("a", 1, -1) == b"23"
    assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
    assert r.expire("a", 100) and 90 < r.ttl("a") <= 100 and r.persist("a")
    assert r.set("short", 1, px=20)
    time.sleep(0.06)
    assert r.get("short") is None and r.ttl("short") == -2
    assert r.type("a") == b"string" and r.exists("a", "b", "c") == 2
    assert sorted(r.keys("[ab]")) == [b"a", b"b"]
    for i in range(500):
        r.set("scan:%d" % i, i)
    assert len(set(r.scan_iter("scan:*", count=50))) == 500
    assert r.rename("a", "a2") and r.delete("a2", "b") == 2
    pipe = r.pipeline(transaction=False)
    for i in range(1000):
        pipe.incr("piped")
    assert pipe.execute() == list(range(1, 1001))
    big = b"x" * 5_000_000
    assert r.set("big", big) and r.get("big") == big
    try:
        r.lpush("k", 1)
        raise AssertionError("no WRONGTYPE")
    except redis.ResponseError as error:
        assert str(error).startswith("WRONGTYPE"), error
    assert r.info()["redis_version"].startswith("7.")
    assert r.client_id() > 0 and r.client_setname("smoke") and r.client_getname() in ("smoke", b"smoke")
    assert r.config_get("maxmemory")
    assert r.dbsize() > 500 and r.flushdb() and r.dbsize() == 0
    threads = [threading.Thread(target=lambda: [r.incr("shared") for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("shared") == b"1600"


def collections(r, connect):
    assert r.rpush("l", "a", "b", "c") == 3 and r.lrange("l", 0, -1) == [b"a", b"b", b"c"]
    assert r.lpop("l") == b"a" and r.lmove("l", "m", "LEFT", "RIGHT") == b"b"
    assert r.hset("h", mapping={"f": "1", "g": "2"}) == 2 and r.hgetall("h") == {b"f": b"1", b"g": b"2"}
    assert r.hincrby("h", "f", 4) == 5
    assert r.sadd("s", 1, 2, 3) == 3 and r.smembers("s") == {b"1", b"2", b"3"}
    assert r.sismember("s", 2) and r.scard("s") == 3
    assert r.zadd("z", {"a": 1, "b": 2.5}) == 2 and r.zscore("z", "b") == 2.5
    assert r.zrange("z", 0, -1) == [b"a", b"b"] and r.zrank("z", "b") == 1
    assert [list(pair) for pair in r.zrange("z", 0, -1, withscores=True)] == [[b"a", 1.0], [b"b", 2.5]]
    entry = r.xadd("x", {"f": "v"})
    assert r.xrange("x") == [(entry, {b"f": b"v"})] and r.xlen("x") == 1
    assert r.xgroup_create("x", "g", id="0")
    assert r.xreadgroup("g", "c", {"x": ">"}) and r.xack("x", "g", entry) == 1
    assert r.geoadd("places", (13.361389, 38.115556, "Palermo")) == 1
    assert r.pfadd("hll", "a", "b", "c") == 1 and r.pfcount("hll") == 3
    assert r.sort("s", desc=True) == [b"3", b"2", b"1"]
    waiter = threading.Thread(target=lambda: (time.sleep(0.1), r.rpush("queue", "job")))
    waiter.start()
    assert tuple(connect().blpop("queue", timeout=5)) == (b"queue", b"job")
    waiter.join()
    assert dict(r.hscan_iter("h")) == {b"f": b"5", b"g": b"2"}


def transactions(r, connect):
    with r.pipeline() as pipe:
        assert pipe.set("a", 1).incr("a").get("a").execute() == [True, 2, b"2"]

    def add(pipe):
        value = int(pipe.get("a"))
        pipe.multi()
        pipe.set("a", value + 1)

    threads = [threading.Thread(target=lambda: [r.transaction(add, "a") for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("a") == b"82"
    script = r.register_script("return {KEYS[1], ARGV[1], redis.call('incr', KEYS[1])}")
    assert script(keys=["a"], args=["x"]) == [b"a", b"x", 83]
    messages = connect().pubsub()
    messages.subscribe("channel")
    messages.psubscribe("pat*")
    seen = []
    while len(seen) < 2:
        seen.append(messages.get_message(timeout=5)["type"])
    assert seen == ["subscribe", "psubscribe"], seen
    assert r.publish("channel", "hello") == 1 and r.publish("pattern", "there") == 1
    assert messages.get_message(timeout=5)["data"] == b"hello"
    assert messages.get_message(timeout=5)["data"] == b"there"
    messages.close()


def main():
    section, port, protocol = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

    def connect():
        return redis.Redis(port=port, protocol=protocol, socket_timeout=10)

    client = connect()
    client.flushall()
    {"strings": strings, "collections": collections, "transactions": transactions}[section](client, connect)
    print("all fine")


if __name__ == "__main__":
    main()
