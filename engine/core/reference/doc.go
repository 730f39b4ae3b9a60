// Package reference is the scheduler once more: slow, obvious, and written from the design instead of from package core, to judge that
// package by. It shares nothing with it but the rows and the compiled model. Only tests import it.
//
// A [World] is all that there is at one instant, as lists. Nothing is kept up to date: each answer is found by looking through the
// lists from the start.
//
//	period.go     the one rule that joins two schedules, by looking at every period of both
//	need.go       what a task run needs of others, and how much of it is there
//	verdict.go    what its trigger rule, and all else that can hold it, say to that
//	dispatch.go   what keeps a ready task run from an agent, and whose turn it is
//	generate.go   which periods have runs
//	late.go       what is late
//	check.go      compares all of it with the rows and the explanations of a machine
//
// What no row tells, for how long something has been so, is in a [Memory] that the checks of one history share.
package reference
