-- The pieces of a task's output that came as state messages, each as it came last.
SELECT topic_id, argMax(details_type, (received_time, payload_hash)) AS kind,
    argMax(details, (received_time, payload_hash)) AS piece, argMax(params, (received_time, payload_hash)) AS said
FROM state_messages
WHERE client_id = {client:UUID} AND serial = 0 AND topic_type = {topic:UInt32}
    AND (topic_id = {task:String} OR startsWith(topic_id, concat({task:String}, '/')))
    AND length(details) <= {most:UInt64}
GROUP BY topic_id
ORDER BY topic_id
LIMIT {pieces:UInt64}
