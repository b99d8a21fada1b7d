"""The private service between record and runners: leases, presigned URLs, relay, sweeper."""
