-- The subject that is asked about: what it is, whom it is meant for, and since when the site knows of it.
    {subject_kind:String} AS the_kind,
    {subject_type:UInt32} AS the_type,
    {subject_id:String} AS the_id,
    {subject_target:String} AS the_target,
    {subject_seen:DateTime64(6,'UTC')} AS the_seen,
