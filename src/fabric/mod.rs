//! The only room with effects on the kernel: sandbox, namespaces, links, nft, conntrack, nflog.
