// Package account is about users of the operating system other than the one that an agent belongs to, as whom plugins and tasks run.
//
// An agent that is root becomes them, and gives them folders by changing the owner. Any other agent asks sudo, which its administrator must have
// allowed, and gives them folders by access control lists: such a folder stays the agent's and is open to the two of them, and to nobody else. What the
// user makes in it is open to the agent, too, unless its mode says otherwise; that is how the agent reaches the socket and the address card of a plugin
// process. Folders within it that the user closed are removed as the user.
//
// Nothing here trusts a user. What one wrote may lead anywhere; Dial sees to it that a socket leads to a process of that user.
package account
