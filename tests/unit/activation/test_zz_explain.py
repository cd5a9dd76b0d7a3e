from tests.unit.activation.conftest import *


def test_explain(world):
    policy = {
        "kind": "contact_policy",
        "caps": [{"count": 1, "window": "7d"}, {"count": 1, "channel": "email", "window": "1d"}],
    }
    w = world.but(pack=pack_of(policy))
    f = w.plan(message_way(needs_consent=True), message_way("b"), list_way("c"), list_way("d", operations=("add",)))
    text = f._jdf.queryExecution().simpleString()
    open("/tmp/plan_explain.txt", "w").write(text)
