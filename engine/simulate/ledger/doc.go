// Package ledger keeps in memory what a store would hold of runs, so that a scheduler without a store can be asked what a store is asked.
//
// [Ledger.Apply] takes the changes of one round; the other methods answer as the methods of engine.Store with the same names do. It
// promises nothing about crashes, and is not safe for concurrent use: a simulation owns it, and so do the tests of the core.
package ledger
