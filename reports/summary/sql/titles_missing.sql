-- Updates, deployments and baselines that are shown by their id.
SELECT count() FROM subjects WHERE kind IN ('update', 'deployment', 'baseline') AND title_source = 'derived' AND title = topic_id
