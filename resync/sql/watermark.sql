-- Where the last check began to read, by the store's clock; 1970 before the first.
SELECT max(watermark) FROM resync_checks
