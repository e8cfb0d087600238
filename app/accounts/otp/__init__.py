"""One-time codes of a second factor: TOTP (RFC 6238), and recovery codes for a lost device."""
