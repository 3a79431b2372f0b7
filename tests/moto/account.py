"""A random account in the EC2 mock moto, and the replies that the AWS CLI would write of it."""

import random

import boto3
from moto import mock_aws
from moto.moto_api._internal import mock_random

BLOCKS = ["0.0.0.0/0", "198.51.100.0/24", "198.51.100.128/25", "203.0.113.7/32", "10.0.0.0/16", "10.0.1.0/24", "10.0.0.20/32"]
BLOCKS6 = ["::/0", "2001:db8::/32", "2001:db8:1::7/128"]
ENTRIES = ["203.0.113.0/24", "198.51.100.0/26", "10.0.0.16/28", "192.0.2.8/32"]
PORTS = [(22, 22), (80, 80), (80, 90), (443, 443), (0, 65535), (1024, 65535)]
ICMP = [(-1, -1), (8, -1), (3, 4), (13, -1)]


def replies(seed):
    """Builds the account of a seed. Gives its replies by the names of their files."""
    with mock_aws():
        mock_random.seed(seed)
        ec2 = boto3.client("ec2", "eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
        Account(ec2, random.Random(seed)).build()
        return described(ec2)


def described(ec2):
    calls = {
        "vpcs": ec2.describe_vpcs(),
        "subnets": ec2.describe_subnets(),
        "groups": ec2.describe_security_groups(),
        "rules": ec2.describe_security_group_rules(),
        "instances": ec2.describe_instances(),
        "interfaces": ec2.describe_network_interfaces(),
        "prefix-lists": ec2.describe_managed_prefix_lists(),
        "route-tables": ec2.describe_route_tables(),
    }
    # No reply has the entries of all lists; a collector puts them beside each list.
    for one in calls["prefix-lists"]["PrefixLists"]:
        one["Entries"] = ec2.get_managed_prefix_list_entries(PrefixListId=one["PrefixListId"])["Entries"]
    for reply in calls.values():
        reply.pop("ResponseMetadata")
    return calls


class Account:
    def __init__(self, ec2, draw):
        self.ec2, self.draw = ec2, draw
        self.image = ec2.describe_images()["Images"][0]["ImageId"]

    def build(self):
        self.lists = [self.prefix_list(number) for number in range(self.draw.randint(1, 2))]
        # Equal blocks: what lies in one VPC is not mixed up with the other.
        for name in ["main", "twin"][: self.draw.randint(1, 2)]:
            self.vpc(name)

    def prefix_list(self, number):
        entries = [{"Cidr": block} for block in self.draw.sample(ENTRIES, self.draw.randint(1, 3))]
        made = self.ec2.create_managed_prefix_list(
            PrefixListName=f"list{number}", AddressFamily="IPv4", MaxEntries=5, Entries=entries
        )
        return made["PrefixList"]["PrefixListId"]

    def vpc(self, name):
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": name}])
        subnets = [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{third}.0/24")["Subnet"]["SubnetId"] for third in (0, 1)
        ]
        groups = [
            self.ec2.create_security_group(GroupName=f"{name}-g{number}", Description="drawn", VpcId=vpc)["GroupId"]
            for number in range(self.draw.randint(2, 4))
        ]
        for group in groups:
            for kind in ("ingress", "egress"):
                self.rules(group, kind, groups)
        of_vpc = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        default = self.ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"][0]["GroupId"]
        for number in range(self.draw.randint(3, 5)):
            self.instance(f"{name}-i{number}", number, subnets, groups + [default])
        # Held by nobody: a member of its groups, and no cell.
        self.ec2.create_network_interface(SubnetId=subnets[0], Groups=groups[:1])

    def rules(self, group, kind, groups):
        authorize = getattr(self.ec2, f"authorize_security_group_{kind}")
        if kind == "egress" and self.draw.random() < 0.6:
            everywhere = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            self.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everywhere)
        seen = [("-1", "0.0.0.0/0")] if kind == "egress" else []
        for _ in range(self.draw.randint(0, 5)):
            permission, key = self.permission(groups)
            if key not in seen:
                seen.append(key)
                authorize(GroupId=group, IpPermissions=[permission])

    def permission(self, groups):
        protocol = self.draw.choice(["tcp", "tcp", "tcp", "udp", "icmp", "-1", "47"])
        permission = {"IpProtocol": protocol}
        ports = {"tcp": PORTS, "udp": PORTS, "icmp": ICMP, "47": [(-1, -1)]}.get(protocol)
        if ports:
            permission["FromPort"], permission["ToPort"] = self.draw.choice(ports)
        key, item, choices = self.draw.choice(
            [
                ("IpRanges", "CidrIp", BLOCKS),
                ("IpRanges", "CidrIp", BLOCKS),
                ("Ipv6Ranges", "CidrIpv6", BLOCKS6),
                ("UserIdGroupPairs", "GroupId", groups),
                ("UserIdGroupPairs", "GroupId", groups),
                ("PrefixListIds", "PrefixListId", self.lists),
            ]
        )
        peer = self.draw.choice(choices)
        permission[key] = [{item: peer, "Description": f"{protocol} 'of' {self.draw.randint(0, 9)}"}]
        return permission, (protocol, permission.get("FromPort"), permission.get("ToPort"), peer)

    def instance(self, name, number, subnets, groups):
        own = self.draw.sample(groups, self.draw.randint(1, 2))
        third = self.draw.randint(0, 1)
        first = {
            "DeviceIndex": 0,
            "SubnetId": subnets[third],
            "Groups": own,
            "PrivateIpAddress": f"10.0.{third}.{20 + number}",
            "AssociatePublicIpAddress": self.draw.random() < 0.6,
        }
        made = self.ec2.run_instances(
            ImageId=self.image, MinCount=1, MaxCount=1, InstanceType="t3.micro", NetworkInterfaces=[first]
        )
        instance = made["Instances"][0]["InstanceId"]
        self.ec2.create_tags(Resources=[instance], Tags=[{"Key": "Name", "Value": name}])
        if self.draw.random() < 0.3:
            further = self.ec2.create_network_interface(
                SubnetId=subnets[1 - third], Groups=[self.draw.choice(groups)], PrivateIpAddress=f"10.0.{1 - third}.{60 + number}"
            )["NetworkInterface"]["NetworkInterfaceId"]
            self.ec2.attach_network_interface(NetworkInterfaceId=further, InstanceId=instance, DeviceIndex=1)
        fate = self.draw.random()
        if fate < 0.15:
            self.ec2.terminate_instances(InstanceIds=[instance])
        elif fate < 0.3:
            self.ec2.stop_instances(InstanceIds=[instance])
