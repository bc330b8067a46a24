-- The greatest version of kept members.
SELECT max(version) FROM collection_now
