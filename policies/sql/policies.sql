-- The policies in the order in which they win.
SELECT collection, revision, priority, send_interval_s, policy_interval_s, topic_types, topic_paused, topic_interval_s,
    relay, notifier, changed_time
FROM policies FINAL
WHERE deleted = 0
ORDER BY priority, collection
