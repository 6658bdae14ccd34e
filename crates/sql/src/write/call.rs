//! Writes functions, what they look at, and choices.

use super::SqlWriter;
use crate::compile::Problem;
use crate::expr::{Call, Case, Frame, FrameUnit, Function, case};
use crate::{Bound, Expr, Feature, IdentError, Over, Window};

impl SqlWriter<'_> {
    pub(super) fn call(&mut self, call: &Call) {
        match call.filter.as_ref().map(|condition| (condition, self.dialect().require(Feature::AggregateFilter))) {
            Some((condition, Err(unsupported))) => match &call.function {
                Function::Aggregate(_) | Function::StringAgg => self.filtered_by_choice(call, condition),
                _ => self.unsupported(unsupported),
            },
            Some((condition, Ok(()))) => {
                self.applied(call);
                self.sql(" FILTER (WHERE ");
                self.expr(condition);
                self.sql(")");
            }
            None => self.applied(call),
        }
        match call.over.as_deref() {
            None if matches!(call.function, Function::Window(_)) => {
                self.invalid("a function of a window", "has no window: say over(…)");
            }
            None => {}
            Some(over) => {
                self.require(Feature::Windows);
                if call.function == Function::StringAgg {
                    self.require(Feature::StringAggOver);
                }
                if call.distinct || !call.order_by.is_empty() {
                    // No engine knows either of them there.
                    self.invalid(
                        "OVER",
                        "follows an aggregate of different values, or of rows in an order of their own",
                    );
                }
                let is_framed = matches!(over, Over::Window(window) if window.frame.is_some());
                if let Function::Window(name) = call.function
                    && is_framed
                    && !matches!(name, "FIRST_VALUE" | "LAST_VALUE" | "NTH_VALUE")
                {
                    self.require(Feature::IdleFrame);
                }
                self.sql(" OVER ");
                match over {
                    Over::Named(name) => self.name(name),
                    Over::Window(window) => self.window(window),
                }
            }
        }
    }

    /// Aggregates pass over NULL, so a value that is NULL unless the condition holds says the same as FILTER.
    fn filtered_by_choice(&mut self, call: &Call, condition: &Expr) {
        let mut plain = Call { filter: None, over: None, ..call.clone() };
        match plain.arguments.first_mut() {
            Some(first) => *first = case().when(condition.clone(), first.clone()).end(),
            None => plain.arguments.push(case().when(condition.clone(), crate::raw("1", [])).end()),
        }
        self.applied(&plain);
    }

    fn applied(&mut self, call: &Call) {
        match &call.function {
            Function::StringAgg => {
                let [text, separator] = &*call.arguments else {
                    return self.invalid("string_agg()", "needs a text and what stands between two");
                };
                let dialect = self.dialect();
                return dialect.write_string_agg(self, text, separator, call.distinct, &call.order_by);
            }
            Function::Spelled(function) => {
                let word = self.dialect().function_name(*function);
                self.sql(word);
                if call.arguments.is_empty() {
                    return;
                }
            }
            Function::Scalar(name) => {
                self.sql(name);
                if call.arguments.is_empty() {
                    self.invalid("the function", "has no arguments");
                }
            }
            Function::Window(name) => {
                if matches!(*name, "LAG" | "LEAD") && call.arguments.len() > 2 {
                    self.require(Feature::ShiftDefault);
                }
                self.sql(name);
            }
            Function::Aggregate(name) => self.sql(name),
            Function::Other(name) => {
                let name = name.as_str();
                let is_name = |part: &str| {
                    !part.is_empty()
                        && !part.starts_with(|c: char| c.is_ascii_digit())
                        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                };
                if name.split('.').all(is_name) {
                    self.text(name);
                } else {
                    self.problem(Problem::Name(IdentError::new(name, "is no name of a function")));
                }
            }
        }
        self.sql(if call.distinct { "(DISTINCT " } else { "(" });
        if call.arguments.is_empty() && matches!(call.function, Function::Aggregate(_)) {
            if call.distinct {
                self.invalid("DISTINCT", "has no column to look at");
            }
            self.sql("*");
        }
        let all_values = call.arguments.iter().all(|argument| argument.as_value().is_some());
        if all_values && !matches!(call.function, Function::Other(_)) {
            self.list(&call.arguments, Self::standalone);
        } else {
            self.list(&call.arguments, Self::expr);
        }
        if !call.order_by.is_empty() {
            self.require(Feature::AggregateOrder);
            self.sql(" ");
            self.orders(&call.order_by);
        }
        self.sql(")");
    }

    pub(super) fn window(&mut self, window: &Window) {
        self.sql("(");
        let mut gap = "";
        if !window.partition_by.is_empty() {
            self.sql("PARTITION BY ");
            self.list(&window.partition_by, Self::expr);
            gap = " ";
        }
        if !window.order_by.is_empty() {
            self.sql(gap);
            self.orders(&window.order_by);
            gap = " ";
        }
        if let Some(frame) = &window.frame {
            self.sql(gap);
            self.frame(frame);
        }
        self.sql(")");
    }

    fn frame(&mut self, frame: &Frame) {
        if frame.from == Bound::UnboundedFollowing || frame.to == Bound::UnboundedPreceding || is_after(frame) {
            self.invalid("a frame", "ends before it begins");
        }
        if frame.unit == FrameUnit::Groups {
            self.require(Feature::GroupsFrame);
        }
        self.sql(match frame.unit {
            FrameUnit::Rows => "ROWS BETWEEN ",
            FrameUnit::Range => "RANGE BETWEEN ",
            FrameUnit::Groups => "GROUPS BETWEEN ",
        });
        self.bound(frame.from);
        self.sql(" AND ");
        self.bound(frame.to);
    }

    fn bound(&mut self, bound: Bound) {
        match bound {
            Bound::UnboundedPreceding => self.sql("UNBOUNDED PRECEDING"),
            Bound::CurrentRow => self.sql("CURRENT ROW"),
            Bound::UnboundedFollowing => self.sql("UNBOUNDED FOLLOWING"),
            Bound::Preceding(rows) => {
                self.number(rows);
                self.sql(" PRECEDING");
            }
            Bound::Following(rows) => {
                self.number(rows);
                self.sql(" FOLLOWING");
            }
        }
    }

    pub(super) fn case(&mut self, case: &Case) {
        if case.whens.is_empty() {
            self.invalid("CASE", "has no choices");
        }
        self.sql("CASE");
        for (condition, then) in &case.whens {
            self.sql(" WHEN ");
            self.expr(condition);
            self.sql(" THEN ");
            self.standalone(then);
        }
        if let Some(otherwise) = &case.otherwise {
            self.sql(" ELSE ");
            self.standalone(otherwise);
        }
        self.sql(" END");
    }
}

/// Whether a frame ends before it begins.
fn is_after(frame: &Frame) -> bool {
    let at = |bound| match bound {
        Bound::UnboundedPreceding => i64::MIN,
        Bound::Preceding(rows) => -i64::from(rows),
        Bound::CurrentRow => 0,
        Bound::Following(rows) => i64::from(rows),
        Bound::UnboundedFollowing => i64::MAX,
    };
    at(frame.from) > at(frame.to)
}
