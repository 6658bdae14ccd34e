//! What expressions and statements mean, by topic.

mod answers;
mod changes;
mod documents;
mod queries;
mod times;
mod values;
