-- The ids that were ever told of.
SELECT DISTINCT topic_id FROM subject_seen
