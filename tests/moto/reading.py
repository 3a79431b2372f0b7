"""Who admits whom, read from describe-* replies by a few lines that share nothing with sglab."""

from ipaddress import ip_address, ip_network

PEERS = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId", "UserIdGroupPairs": "GroupId"}


class Reading:
    def __init__(self, replies):
        self.groups = {group["GroupId"]: group for group in replies["groups"]["SecurityGroups"]}
        self.lists = {
            one["PrefixListId"]: [entry["Cidr"] for entry in one["Entries"]]
            for one in replies["prefix-lists"]["PrefixLists"]
        }
        self.interfaces, self.stopped = {}, set()
        for reservation in replies["instances"]["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] == "terminated":
                    continue
                name = next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name")
                for interface in instance["NetworkInterfaces"]:
                    device = interface["Attachment"]["DeviceIndex"]
                    own = f"{name}.eth{device}" if device else name
                    self.interfaces[own] = interface
                    if instance["State"]["Name"] == "stopped":
                        self.stopped.add(own)

    def is_open(self, sender, receiver, service):
        """Whether what goes from one to the other is let out and in. Each is an interface's name or an address outside."""
        if {sender, receiver} & self.stopped:
            return False
        sends, receives = self.interfaces.get(sender), self.interfaces.get(receiver)
        if sends and receives:
            if sends["VpcId"] != receives["VpcId"]:
                return False
        elif not is_reached(sends or receives, ip_address(receiver if sends else sender)):
            return False
        egress = not sends or self.admits(sends, "IpPermissionsEgress", receives, receiver, service)
        return egress and (not receives or self.admits(receives, "IpPermissions", sends, sender, service))

    def admits(self, interface, rules, peer, address, service):
        of_peer = {group["GroupId"] for group in peer["Groups"]} if peer else set()
        address = ip_address(peer["PrivateIpAddress"] if peer else address)
        for group in interface["Groups"]:
            for rule in self.groups[group["GroupId"]][rules]:
                if covers(rule, service) and self.names(rule, of_peer, address):
                    return True
        return False

    def names(self, rule, of_peer, address):
        blocks = [block["CidrIp"] for block in rule.get("IpRanges", [])]
        blocks += [block["CidrIpv6"] for block in rule.get("Ipv6Ranges", [])]
        for one in rule.get("PrefixListIds", []):
            blocks += self.lists[one["PrefixListId"]]
        if any(address in ip_network(block) for block in blocks if ip_network(block).version == address.version):
            return True
        return any(pair["GroupId"] in of_peer for pair in rule.get("UserIdGroupPairs", []))


def is_reached(interface, outside):
    """Whether packets come from an address outside and go there: by a public address of its family."""
    return bool(interface["Ipv6Addresses"]) if outside.version == 6 else "PublicIp" in interface.get("Association", {})


def covers(rule, service):
    protocol, low, high = rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1)
    if protocol == "-1":
        return True
    kind, number, code = service
    if protocol != kind:
        return False
    if kind in ("tcp", "udp"):
        return low <= number <= high
    if kind == "icmp":
        return low == -1 or (low == number and high in (-1, code))
    return True


def rules_of(replies):
    """All rules, each as a tuple, in no order."""
    found = set()
    for group in replies["SecurityGroups"]:
        for direction in ("IpPermissions", "IpPermissionsEgress"):
            for rule in group[direction]:
                protocol, ports = rule["IpProtocol"], (rule.get("FromPort", -1), rule.get("ToPort", -1))
                for key, item in PEERS.items():
                    for peer in rule.get(key, []):
                        found.add((group["GroupId"], direction, protocol, ports, peer[item], peer.get("Description")))
    return found
