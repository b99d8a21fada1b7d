"""Proctor SDK: what a vendor, a partner or a verifier needs."""
