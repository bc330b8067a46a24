-- The subject that the parameters topic_type and topic_id name, in the words of the part asked; of kind '' where there is none.
    (
        SELECT (any(s.kind), any(s.topic_type), any(s.target), any(s.first_seen))
        FROM subjects AS s
        WHERE {topic_id:String} != '' AND s.topic_id = {topic_id:String}
          AND (s.kind IN (SELECT kind FROM subject_types
                   WHERE topic_type = {topic_type:UInt32} AND topic_id = {topic_id:String})
               AND s.kind != 'other' OR s.topic_type = {topic_type:UInt32})
    ) AS one,
    one.1 AS the_kind,
    one.2 AS the_type,
    {topic_id:String} AS the_id,
    one.3 AS the_target,
    one.4 AS the_seen,
