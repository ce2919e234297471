//! What is known of an expression whatever the row holds.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Filter, UnaryOpKind};

/// How sure it is that an expression gives something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// Something, and it is true: a text that is not empty.
    Always,
    /// Something, perhaps an empty text.
    Defined,
    /// Nothing, or something true: a field as it stands, for no field is empty.
    FullIfDefined,
    /// Not known.
    Unknown,
}

impl Certainty {
    pub(super) fn is_always(self) -> bool {
        self == Self::Always
    }

    fn is_defined(self) -> bool {
        matches!(self, Self::Always | Self::Defined)
    }
}

/// Filters that give a text of whatever they take, also of nothing.
pub(super) const GIVES_TEXT: [&str; 9] = [
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "replace",
    "digits",
    "country",
    "join",
];

/// Those that leave no text empty that was not.
pub(super) const KEEPS_TEXT: [&str; 4] = ["upper", "lower", "title", "capitalize"];

/// What is known of the fields.
pub(super) struct Known<'a> {
    /// Every field that the template does not give a value of its own.
    pub(super) fields: BTreeSet<&'a str>,
    /// Those that every row has.
    pub(super) always: BTreeSet<&'a str>,
}

pub(super) fn is_default(filter: &str) -> bool {
    matches!(filter, "default" | "d")
}

impl Known<'_> {
    pub(super) fn of(&self, expression: &Expr<'_>) -> Certainty {
        match expression {
            Expr::Const(constant) if constant.value.is_undefined() => Certainty::Unknown,
            Expr::Const(constant) if constant.value.is_true() => Certainty::Always,
            Expr::Const(_) => Certainty::Defined,
            Expr::Var(variable) if self.always.contains(variable.id) => Certainty::Always,
            Expr::Var(variable) if self.fields.contains(variable.id) => Certainty::FullIfDefined,
            Expr::Filter(filter) => self.of_filter(filter),
            Expr::BinOp(operation) => {
                let left = self.of(&operation.left);
                let right = self.of(&operation.right);
                match operation.op {
                    BinOpKind::ScOr if left.is_always() => Certainty::Always,
                    BinOpKind::ScOr => right,
                    BinOpKind::Concat if left.is_always() || right.is_always() => Certainty::Always,
                    BinOpKind::Concat => Certainty::Defined,
                    _ => Certainty::Unknown,
                }
            }
            Expr::IfExpr(choice) => {
                let other = choice.false_expr.as_ref().map(|other| self.of(other));
                match (self.of(&choice.true_expr), other) {
                    (one, Some(other)) if one == other => one,
                    (one, Some(other)) if one.is_defined() && other.is_defined() => {
                        Certainty::Defined
                    }
                    _ => Certainty::Unknown,
                }
            }
            _ => Certainty::Unknown,
        }
    }

    fn of_filter(&self, filter: &Filter<'_>) -> Certainty {
        let Some(operand) = &filter.expr else {
            return Certainty::Unknown;
        };
        let operand = self.of(operand);
        if is_default(filter.name) {
            let Some((other, also_empty)) = self.default_arguments(filter) else {
                return Certainty::Unknown;
            };
            return match (operand, other) {
                (Certainty::Always, _) => Certainty::Always,
                (_, other) if also_empty => other,
                (Certainty::Defined, _) => Certainty::Defined,
                (Certainty::FullIfDefined, other) => other,
                (Certainty::Unknown, other) if other.is_defined() => Certainty::Defined,
                (Certainty::Unknown, _) => Certainty::Unknown,
            };
        }
        if operand.is_always() && KEEPS_TEXT.contains(&filter.name) {
            return Certainty::Always;
        }
        match GIVES_TEXT.contains(&filter.name) {
            true => Certainty::Defined,
            false => Certainty::Unknown,
        }
    }

    /// Whether no row reaches what `default` would give.
    pub(super) fn never_defaults(&self, filter: &Filter<'_>) -> bool {
        let operand = filter.expr.as_ref().map(|operand| self.of(operand));
        let also_empty = self.default_arguments(filter).map(|(_, also)| also);
        match (operand, also_empty) {
            (Some(operand), Some(true)) => operand.is_always(),
            (Some(operand), Some(false)) => operand.is_defined(),
            _ => false,
        }
    }

    /// What `default` gives, and whether it also counts what is empty; `None`: it is not known.
    fn default_arguments(&self, filter: &Filter<'_>) -> Option<(Certainty, bool)> {
        match filter.args.as_slice() {
            [] => Some((Certainty::Defined, false)),
            [CallArg::Pos(other)] => Some((self.of(other), false)),
            [CallArg::Pos(other), CallArg::Pos(Expr::Const(also_empty))] => {
                Some((self.of(other), also_empty.value.is_true()))
            }
            _ => None,
        }
    }

    /// What a condition answers for every row alike; `None`: it is not known.
    pub(super) fn answer(&self, test: &Expr<'_>) -> Option<bool> {
        match test {
            Expr::Const(constant) => Some(constant.value.is_true()),
            Expr::UnaryOp(operation) if matches!(operation.op, UnaryOpKind::Not) => {
                self.answer(&operation.expr).map(|answer| !answer)
            }
            Expr::Test(test) if test.args.is_empty() && self.of(&test.expr).is_defined() => {
                match test.name {
                    "defined" => Some(true),
                    "undefined" => Some(false),
                    _ => None,
                }
            }
            _ => self.of(test).is_always().then_some(true),
        }
    }
}
