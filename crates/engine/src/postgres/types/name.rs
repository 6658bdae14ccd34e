//! What is a column's type called, as `format_type` would say?

use tokio_postgres::types::{Kind, Type};

/// The type's name in SQL, with its modifier: `character varying(60)`, `numeric(10,2)[]`.
pub(in crate::postgres) fn type_name(ty: &Type, modifier: i32) -> String {
    if let (Kind::Array(element), true) = (ty.kind(), ty.name().starts_with('_')) {
        return format!("{}[]", type_name(element, modifier));
    }
    let known = modifier >= 0;
    // The modifier of character types and numeric counts its own four bytes.
    let length = modifier - 4;
    let precision = if known { format!("({modifier})") } else { String::new() };
    match *ty {
        Type::BOOL => "boolean".to_owned(),
        Type::INT2 => "smallint".to_owned(),
        Type::INT4 => "integer".to_owned(),
        Type::INT8 => "bigint".to_owned(),
        Type::FLOAT4 => "real".to_owned(),
        Type::FLOAT8 => "double precision".to_owned(),
        Type::CHAR => "\"char\"".to_owned(),
        Type::BPCHAR if length > 0 => format!("character({length})"),
        Type::BPCHAR => "character".to_owned(),
        Type::VARCHAR if length > 0 => format!("character varying({length})"),
        Type::VARCHAR => "character varying".to_owned(),
        Type::NUMERIC if length >= 0 => {
            // The scale is signed, in eleven bits, since version 15.
            let scale = ((length & 0x7ff) ^ 1024) - 1024;
            format!("numeric({},{scale})", (length >> 16) & 0xffff)
        }
        Type::BIT if known => format!("bit({modifier})"),
        Type::VARBIT if known => format!("bit varying({modifier})"),
        Type::VARBIT => "bit varying".to_owned(),
        Type::TIME => format!("time{precision} without time zone"),
        Type::TIMETZ => format!("time{precision} with time zone"),
        Type::TIMESTAMP => format!("timestamp{precision} without time zone"),
        Type::TIMESTAMPTZ => format!("timestamp{precision} with time zone"),
        _ => ty.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_sql() {
        assert_eq!(type_name(&Type::INT4, -1), "integer");
        assert_eq!(type_name(&Type::VARCHAR, 64), "character varying(60)");
        assert_eq!(type_name(&Type::VARCHAR, -1), "character varying");
        assert_eq!(type_name(&Type::NUMERIC, (10 << 16 | 2) + 4), "numeric(10,2)");
        assert_eq!(type_name(&Type::NUMERIC, (3 << 16 | (-5i32 & 0x7ff)) + 4), "numeric(3,-5)");
        assert_eq!(type_name(&Type::NUMERIC, -1), "numeric");
        assert_eq!(type_name(&Type::NUMERIC_ARRAY, (10 << 16 | 2) + 4), "numeric(10,2)[]");
        assert_eq!(type_name(&Type::TIMESTAMPTZ, 3), "timestamp(3) with time zone");
        assert_eq!(type_name(&Type::TIMESTAMP, -1), "timestamp without time zone");
    }
}
