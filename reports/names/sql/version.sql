-- The greatest version of what persons said: the next change takes the one after.
SELECT max(version) FROM topic_titles WHERE source = 'file'
