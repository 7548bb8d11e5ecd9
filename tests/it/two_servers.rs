//! two_servers
