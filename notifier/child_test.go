package notifier

const childEnv = "NOTIFIER_TEST_CHILD"

func child() {}
