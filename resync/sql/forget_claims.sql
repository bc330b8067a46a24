-- Forgets what clients said they hold later than now: by a clock that was wrong.
ALTER TABLE client_caches DELETE WHERE claimed_time > {latest:DateTime64(6, 'UTC')} SETTINGS mutations_sync = 1
