ALTER TABLE client_caches DELETE WHERE claimed_time > {latest:DateTime64(6, 'UTC')} SETTINGS mutations_sync = 1
