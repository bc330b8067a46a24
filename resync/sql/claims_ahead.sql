-- How many clients said what they hold later than now: by a clock that was wrong.
SELECT count() FROM client_caches WHERE claimed_time > {latest:DateTime64(6, 'UTC')}
