//! What in a template does nothing: defaults that no row can reach, an `if` whose answer is always the same.
//!
//! Judged from the syntax tree alone, by what is known of an expression whatever the row holds. What is not known
//! is not reported.

mod certainty;

use std::{collections::BTreeSet, ops::Range};

use minijinja::machinery::{
    ast::{BinOpKind, CallArg, Expr, Stmt},
    parse,
};

use self::certainty::{Known, is_default};
use crate::change::FieldNames;

/// A part of a template that does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// What, in words that complete "`crm.map.X` …".
    pub what: String,
    /// What a person can do about it.
    pub advice: String,
    /// Where in the template, in bytes.
    pub span: Range<usize>,
}

/// What in `source` does nothing, where every row has the fields `always`. A template that cannot be compiled has
/// none: its error says more.
pub fn lint(source: &str, names: &FieldNames, always: &[&str]) -> Vec<Lint> {
    let Ok(tree) = parse(source, "", minijinja::syntax::SyntaxConfig::default()) else {
        return Vec::new();
    };
    let mut assigned = BTreeSet::new();
    assigned_by(std::slice::from_ref(&tree), &mut assigned);
    let is_field = |name: &&str| !assigned.contains(*name);
    let canonical: BTreeSet<&str> = names.canonical().filter(is_field).collect();
    let always = always.iter().copied().filter(is_field).collect();
    let mut walk = Walk {
        source,
        known: Known {
            fields: canonical,
            always,
        },
        lints: Vec::new(),
    };
    walk.statement(&tree);
    walk.lints
}

struct Walk<'a> {
    source: &'a str,
    known: Known<'a>,
    lints: Vec<Lint>,
}

impl Walk<'_> {
    fn statements(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.statements(&template.children),
            Stmt::EmitExpr(emitted) => self.expression(&emitted.expr),
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                each.filter_expr
                    .iter()
                    .for_each(|test| self.expression(test));
                self.statements(&each.body);
                self.statements(&each.else_body);
            }
            Stmt::IfCond(condition) => {
                self.condition(&condition.expr);
                self.expression(&condition.expr);
                self.statements(&condition.true_body);
                self.statements(&condition.false_body);
            }
            Stmt::WithBlock(with) => {
                for (_, value) in &with.assignments {
                    self.expression(value);
                }
                self.statements(&with.body);
            }
            Stmt::Set(set) => self.expression(&set.expr),
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expression(filter));
                self.statements(&set.body);
            }
            Stmt::AutoEscape(block) => self.statements(&block.body),
            Stmt::FilterBlock(block) => {
                self.expression(&block.filter);
                self.statements(&block.body);
            }
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Filter(filter) => {
                if let Some(operand) = &filter.expr {
                    if is_default(filter.name) && self.known.never_defaults(filter) {
                        self.unreachable_default(expression, operand);
                    }
                    self.expression(operand);
                }
                self.arguments(&filter.args);
            }
            Expr::BinOp(operation) => {
                if matches!(operation.op, BinOpKind::ScOr)
                    && self.known.of(&operation.left).is_always()
                {
                    let left = self.text(&operation.left);
                    self.note(
                        expression,
                        format!("has an `or` that is never reached: `{left}` is always there"),
                        "remove the `or` and what follows it",
                    );
                }
                self.expression(&operation.left);
                self.expression(&operation.right);
            }
            Expr::IfExpr(choice) => {
                self.condition(&choice.test_expr);
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                choice
                    .false_expr
                    .iter()
                    .for_each(|other| self.expression(other));
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::Compare(comparison) => {
                self.expression(&comparison.expr);
                for operand in &comparison.ops {
                    self.expression(&operand.expr);
                }
            }
            Expr::Test(test) => {
                self.expression(&test.expr);
                self.arguments(&test.args);
            }
            Expr::Slice(slice) => self.expression(&slice.expr),
            Expr::GetAttr(attribute) => self.expression(&attribute.expr),
            Expr::GetItem(item) => {
                self.expression(&item.expr);
                self.expression(&item.subscript_expr);
            }
            Expr::Call(call) => {
                self.expression(&call.expr);
                self.arguments(&call.args);
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => {
                map.keys.iter().for_each(|key| self.expression(key));
                map.values.iter().for_each(|value| self.expression(value));
            }
            Expr::Var(_) | Expr::Const(_) => {}
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }

    fn condition(&mut self, test: &Expr<'_>) {
        let Some(answer) = self.known.answer(test) else {
            return;
        };
        let written = self.text(test);
        let (is, advice) = match answer {
            true => ("true", "remove the `if` and keep what it guards"),
            false => ("false", "remove the `if` with what it guards"),
        };
        self.note(
            test,
            format!("has an `if` that is {is} for every row: `{written}`"),
            advice,
        );
    }

    fn unreachable_default(&mut self, whole: &Expr<'_>, operand: &Expr<'_>) {
        let written = self.text(operand);
        let (why, advice) = match operand {
            Expr::Const(_) => (format!("`{written}` is a constant"), "remove the `default`"),
            Expr::Filter(filter) if is_default(filter.name) => (
                "the one before it has decided already".to_owned(),
                "keep one `default`, or join the fields with `or`",
            ),
            Expr::Filter(filter) if !self.known.of(operand).is_always() => (
                format!("`{}` gives a text even of nothing", filter.name),
                "put the `default` before that filter, or write `default(…, true)`, which also counts an empty text",
            ),
            _ => (
                format!("`{written}` is always there"),
                "remove the `default`",
            ),
        };
        self.note(
            whole,
            format!("has a `default` that is never reached: {why}"),
            advice,
        );
    }

    fn note(&mut self, at: &Expr<'_>, what: String, advice: &str) {
        self.lints.push(Lint {
            what,
            advice: advice.to_owned(),
            span: span(self.source, at),
        });
    }

    /// As it is written.
    fn text(&self, expression: &Expr<'_>) -> String {
        self.source
            .get(span(self.source, expression))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}

/// From its first operand to its end: minijinja's span of a filter or a test begins at its name, and leaves out a
/// bracket that opens before an operand or closes after it.
fn span(source: &str, expression: &Expr<'_>) -> Range<usize> {
    let mut end = expression.span().end_offset as usize;
    let mut start = first(expression);
    loop {
        let part = source.get(start..end).unwrap_or_default();
        let (opening, closing) = (part.matches('(').count(), part.matches(')').count());
        let before = source.get(..start).unwrap_or_default().trim_end();
        let after = source.get(end..).unwrap_or_default();
        let blanks = after.len() - after.trim_start().len();
        if closing > opening && before.ends_with('(') {
            start = before.len() - 1;
        } else if opening > closing && after.trim_start().starts_with(')') {
            end += blanks + 1;
        } else {
            return start..end;
        }
    }
}

fn first(expression: &Expr<'_>) -> usize {
    let operand = match expression {
        Expr::Filter(filter) => filter.expr.as_ref(),
        Expr::Test(test) => Some(&test.expr),
        Expr::UnaryOp(operation) => Some(&operation.expr),
        Expr::BinOp(operation) => Some(&operation.left),
        Expr::IfExpr(choice) => Some(&choice.true_expr),
        _ => None,
    };
    let own = expression.span().start_offset as usize;
    operand.map_or(own, |operand| own.min(first(operand)))
}

/// The names that a template gives values itself: of these nothing is known.
fn assigned_by<'a>(statements: &'a [Stmt<'_>], names: &mut BTreeSet<&'a str>) {
    for statement in statements {
        match statement {
            Stmt::Template(template) => assigned_by(&template.children, names),
            Stmt::ForLoop(each) => {
                targets(&each.target, names);
                assigned_by(&each.body, names);
                assigned_by(&each.else_body, names);
            }
            Stmt::IfCond(condition) => {
                assigned_by(&condition.true_body, names);
                assigned_by(&condition.false_body, names);
            }
            Stmt::WithBlock(with) => {
                for (target, _) in &with.assignments {
                    targets(target, names);
                }
                assigned_by(&with.body, names);
            }
            Stmt::Set(set) => targets(&set.target, names),
            Stmt::SetBlock(set) => {
                targets(&set.target, names);
                assigned_by(&set.body, names);
            }
            Stmt::AutoEscape(block) => assigned_by(&block.body, names),
            Stmt::FilterBlock(block) => assigned_by(&block.body, names),
            _ => {}
        }
    }
}

fn targets<'a>(target: &'a Expr<'_>, names: &mut BTreeSet<&'a str>) {
    match target {
        Expr::Var(variable) => {
            names.insert(variable.id);
        }
        Expr::List(list) => list.items.iter().for_each(|item| targets(item, names)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| targets(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
