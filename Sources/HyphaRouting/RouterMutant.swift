/// Rules that can be broken on purpose, to show that the invariants of the simulations notice. Never set in a node.
package enum RouterMutant: String, CaseIterable, Sendable {
    /// Alternates stay as they were chosen when the feasibility distance falls.
    case frozenAlternates
    /// Routes of a neighbour survive a new link session.
    case noFlush
    /// Next hops of several router ids are mixed.
    case mixedRouterIDs
    /// Seqnos may be as far ahead as they like.
    case anySeqno
    /// Feasibility distances are forgotten as soon as nothing is announced under them.
    case hastyForgetting
    /// No limits on tables.
    case unboundedTables
}
