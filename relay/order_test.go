package relay

const childEnv = "RELAY_TEST_CHILD"

func child() {}
