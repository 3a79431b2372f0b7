"""Holds what sglab says of accounts in the EC2 mock moto against another reading of the same replies: see scripts/moto."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import account
from reading import Reading, rules_of


def main(sglab, accounts, first):
    cells = 0
    for seed in range(first, first + accounts):
        folder = Path(tempfile.mkdtemp(prefix=f"moto-{seed}-"))
        replies = account.replies(seed)
        dump = folder / "dump"
        dump.mkdir()
        for name, reply in replies.items():
            (dump / f"{name}.json").write_text(json.dumps(reply, indent=4, default=str))
        wrong, asked = compare(sglab, folder, replies)
        if wrong:
            print(f"account {seed} ({folder}):", *wrong[:20], f"{len(wrong)} differences", sep="\n    ")
            sys.exit(1)
        cells += asked
        subprocess.run(["rm", "-r", folder], check=True)
    print(f"{accounts} accounts from {first}: {cells} cells as another reading has them, and each rule written again")


def run(*command):
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {ran.returncode}\n{ran.stderr}")
    return ran.stdout


def compare(sglab, folder, replies):
    """What differs, and how many cells were asked."""
    dump, topology = folder / "dump", folder / "cloud.yaml"
    run(sglab, "import", dump, "-o", topology)
    predicted = json.loads(run(sglab, "predict", topology, "--all-cells", "--format", "json"))
    hosts = yaml.safe_load(topology.read_text()).get("hosts", {})
    reading, wrong, asked, seen = Reading(replies), [], 0, set()
    for sender, receiver, words, told in cells(predicted["runs"][0]["steps"][0], hosts):
        seen |= {sender, receiver}
        if not {sender, receiver} & reading.interfaces.keys() or instance_of(sender) == instance_of(receiver):
            continue
        asked += told is not None
        read = reading.is_open(sender, receiver, service_of(words))
        # What has no cell is closed: nothing leads there.
        if (told == "open") != read:
            wrong.append(f"{sender} -> {receiver}:{words}: sglab says {told}, the other reading {'open' if read else 'closed'}")
    addresses = {address for all_of in hosts.values() for address in all_of}
    wrong += [f"{name} is neither an interface nor a host" for name in seen - addresses - reading.interfaces.keys()]
    wrong += [f"{name} has no cell" for name in reading.interfaces.keys() - reading.stopped if name not in seen]
    again = json.loads(run(sglab, "import", dump, "--to", "describe"))
    before, after = rules_of(replies["groups"]), rules_of(again)
    wrong += [f"only the replies have {rule}" for rule in sorted(before - after, key=str)]
    wrong += [f"only what sglab writes has {rule}" for rule in sorted(after - before, key=str)]
    return wrong, asked


def cells(step, hosts):
    """Sender, receiver, service, and `open`, another word, or nothing where there is no cell. Hosts are addresses."""
    for flow in step["flows"]:
        ends = [flow[f"{side}_address"] or address_of(flow[side], hosts) for side in ("from", "to")]
        yield *ends, flow["service"], flow["observed"]
    grid = step["grid"] or {"rows": []}
    for row in grid["rows"]:
        for target, letters in zip(grid["targets"], row["cells"]):
            for index, service in enumerate(grid["services"]):
                told = None if letters is None else {"O": "open"}.get(letters[index], letters[index])
                yield row["address"] or row["from"], address_of(target, hosts), service, told


def address_of(name, hosts):
    """The address of a host, `office` or `office (198.51.100.1)`; the name of an interface."""
    host, _, address = name.partition(" (")
    return address.rstrip(")") or hosts.get(host, [name])[0]


def instance_of(interface):
    return interface.partition(".eth")[0]


def service_of(words):
    """Protocol, port or type, and code."""
    kind, _, rest = words.partition(" ")
    if kind == "protocol":
        return rest, None, None
    if words in ("ping", "icmp echo"):
        return "icmp", 8, 0
    if kind == "icmp":
        number, _, code = rest.partition("/")
        return "icmp", int(number), int(code or 0)
    assert kind in ("tcp", "udp"), words
    return kind, int(rest), None


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
