/** Functions and @@globals that look at the session and the server: each asks the context's SystemFunctions. */
import { SqlError } from '../session.ts';
import type { SqlType, SqlValue } from '../sql-types.ts';
import type { GlobalExpression } from './ast-expression.ts';
import type { CompiledExpression, Compiler } from './compiled.ts';
import { coerce, compiled } from './compiled.ts';
import type { CaughtError, EvalContext, SystemFunctions } from './context.ts';
import type { FunctionCall, FunctionDefinition, FunctionTable } from './function-call.ts';
import { argument, argumentAs, defined, refuseArgument, strict, textArgument } from './function-call.ts';
import { BIGINT, BIT, INT, decimalType, isCharacter, isDecimal, isInteger, textType } from './types.ts';
import { UnsupportedError } from './unsupported.ts';
import { asBytes, asNumber, asText, asVariant } from './values.ts';

const SMALLINT: SqlType = { name: 'smallint' };
const TINYINT: SqlType = { name: 'tinyint' };
const IDENTITY: SqlType = { ...decimalType(38, 0), name: 'numeric' };
const VARIANT: SqlType = { name: 'sql_variant' };

type Read = (system: SystemFunctions) => SqlValue;

function fromSystem(type: SqlType, read: Read, nullable = true): CompiledExpression {
  return compiled(type, (ctx) => read(ctx.system), { nullable });
}

/** nvarchar of a length in the database's collation. */
function name(compiler: Compiler, length = 128): SqlType {
  return textType(true, length, compiler.scope.collation);
}

/** A function without arguments. */
function niladic(type: SqlType | ((compiler: Compiler) => SqlType), read: Read, nullable = true): FunctionDefinition {
  return defined(0, 0, (call) => fromSystem(typeof type === 'function' ? type(call.compiler) : type, read, nullable));
}

function caught(type: SqlType | ((compiler: Compiler) => SqlType), read: (error: CaughtError) => SqlValue): FunctionDefinition {
  return niladic(type, (system) => {
    const error = system.caughtError();
    return error === null ? null : read(error);
  });
}

/** @@name. @throws SqlError 137 when there is none. */
export function compileGlobal(expression: GlobalExpression, compiler: Compiler): CompiledExpression {
  switch (expression.name) {
    case '@@spid':
      return fromSystem(SMALLINT, (system) => system.spid(), false);
    case '@@trancount':
      return fromSystem(INT, (system) => system.transactionCount(), false);
    case '@@rowcount':
      return fromSystem(INT, (system) => Number(system.rowCount()), false);
    case '@@error':
      return fromSystem(INT, (system) => system.errorNumber(), false);
    case '@@identity':
      return fromSystem(IDENTITY, (system) => system.lastIdentity());
    case '@@version':
      return fromSystem(name(compiler, 300), (system) => system.version(), false);
    case '@@servername':
      return fromSystem(name(compiler), (system) => system.serverName(), false);
    case '@@servicename':
      return fromSystem(name(compiler), () => 'MSSQLSERVER', false);
    case '@@language':
      return fromSystem(name(compiler), () => 'us_english', false);
    case '@@langid':
      return fromSystem(SMALLINT, () => 0, false);
    case '@@lock_timeout':
      return fromSystem(INT, (system) => system.lockTimeout(), false);
    case '@@datefirst':
      return fromSystem(TINYINT, (system) => system.dateFirst(), false);
    case '@@options':
      return fromSystem(INT, (system) => system.options(), false);
    case '@@max_precision':
      return fromSystem(TINYINT, () => 38, false);
    case '@@nestlevel':
      return fromSystem(INT, (system) => system.nestLevel(), false);
    case '@@procid':
      return fromSystem(INT, () => 0, false);
    default:
      throw new SqlError(137, `Must declare the scalar variable "${expression.name}".`, { class: 15, state: 2 });
  }
}

function newGuid(ctx: EvalContext): string {
  const bytes = Buffer.from(ctx.system.randomBytes(16));
  // Version 4, variant 1. Source: RFC 9562.
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex').toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** CHANGE_TRACKING_IS_COLUMN_IN_MASK: 1 for every column when the mask is NULL. The mask is four zero bytes, then ids, little-endian. */
function compileInMask(call: FunctionCall): CompiledExpression {
  const [column, mask] = [argument(call, 0), argument(call, 1)];
  if (!isInteger(column.type)) {
    return refuseArgument(call, 0);
  }
  const [id, bytes] = [coerce(column, INT), coerce(mask, { name: 'varbinary', length: 4100 })];
  return compiled(BIT, (ctx) => {
    const wanted = id.evaluate(ctx);
    const value = bytes.evaluate(ctx);
    if (wanted === null) {
      return null;
    }
    if (value === null) {
      return true;
    }
    const list = asBytes(value);
    if (list.length < 4 || list.length % 4 !== 0 || list.readInt32LE(0) !== 0) {
      throw new SqlError(
        22_101,
        'The value supplied for the change_columns argument of CHANGE_TRACKING_IS_COLUMN_IN_MASK function is not valid. The value must be a bitmask returned by the CHANGETABLE(CHANGES ...) function.',
      );
    }
    for (let at = 4; at < list.length; at += 4) {
      if (list.readInt32LE(at) === asNumber(wanted)) {
        return true;
      }
    }
    return false;
  });
}

/** A name argument whose absence asks for the current one. */
function optionalText(call: FunctionCall, index: number): (ctx: EvalContext) => string | null {
  if (call.args.length <= index) {
    return () => null;
  }
  const arg = textArgument(call, index);
  return (ctx) => {
    const value = arg.evaluate(ctx);
    return value === null ? null : asText(value);
  };
}

function optionalNumber(call: FunctionCall, index: number): (ctx: EvalContext) => number | null {
  if (call.args.length <= index) {
    return () => null;
  }
  const arg = argumentAs(call, index, INT);
  return (ctx) => {
    const value = arg.evaluate(ctx);
    return value === null ? null : asNumber(value);
  };
}

function bit(value: boolean | null): number | null {
  return value === null ? null : value ? 1 : 0;
}

function compilePermission(call: FunctionCall): CompiledExpression {
  const [securable, securableClass, permission, column] = [0, 1, 2, 3].map((index) => optionalText(call, index));
  return compiled(INT, (ctx) => {
    const wanted = permission?.(ctx) ?? null;
    if (wanted === null) {
      return null;
    }
    return bit(ctx.system.hasPermission(securable?.(ctx) ?? null, securableClass?.(ctx) ?? null, wanted, column?.(ctx) ?? null));
  });
}

/** SQL_VARIANT_PROPERTY of a variant or of any other value. */
function compileVariantProperty(call: FunctionCall): CompiledExpression {
  const source = coerce(argument(call, 0), VARIANT);
  const { collation } = call.compiler.scope;
  const text = (value: string): SqlValue => ({ type: textType(true, 128, collation), variant: value });
  const number = (value: number): SqlValue => ({ type: INT, variant: value });
  return strict(VARIANT, [source, textArgument(call, 1)], ([value = null, property = null]) => {
    const { type, variant } = asVariant(value);
    if (variant === null) {
      return null;
    }
    switch (asText(property).toLowerCase()) {
      case 'basetype':
        return text(type.name);
      case 'precision':
        return number(isDecimal(type) ? type.precision : 0);
      case 'scale':
        return number('scale' in type ? type.scale : 0);
      case 'maxlength':
        return number('length' in type && type.length !== 'max' ? type.length * (type.name.startsWith('n') ? 2 : 1) : 0);
      case 'collation':
        return isCharacter(type) ? text(type.collation) : null;
      default:
        return null;
    }
  });
}

/** The parts of a name, quoted or not; null when it is none. */
function splitName(text: string): string[] | null {
  const parts: string[] = [];
  const part = /(?:\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|([^.[\]"]*))(\.|$)/y;
  while (true) {
    const found = part.exec(text);
    if (found === null) {
      return null;
    }
    parts.push(found[1]?.replaceAll(']]', ']') ?? found[2]?.replaceAll('""', '"') ?? found[3] ?? '');
    if (found[4] !== '.') {
      return parts;
    }
  }
}

function compileParseName(call: FunctionCall): CompiledExpression {
  return strict(name(call.compiler), [textArgument(call, 0), argumentAs(call, 1, INT)], ([value = null, part = null]) => {
    const names = splitName(asText(value));
    return names === null || names.length > 4 ? null : names[names.length - asNumber(part)] || null;
  });
}

export const SYSTEM_FUNCTIONS: FunctionTable = new Map<string, FunctionDefinition>([
  ['NEWID', defined(0, 0, () => compiled({ name: 'uniqueidentifier' }, newGuid, { nullable: false }))],
  ['NEWSEQUENTIALID', defined(0, 0, () => compiled({ name: 'uniqueidentifier' }, newGuid, { nullable: false }))],
  ['CURRENT_USER', niladic(name, (system) => system.userName(null))],
  ['SESSION_USER', niladic(name, (system) => system.userName(null))],
  ['USER', niladic(name, (system) => system.userName(null))],
  ['SYSTEM_USER', niladic(name, (system) => system.loginName(), false)],
  ['ORIGINAL_LOGIN', niladic(name, (system) => system.originalLogin(), false)],
  [
    'SUSER_SNAME',
    defined(0, 1, (call) => {
      if (call.args.length > 0) {
        throw new UnsupportedError(`${call.name.toUpperCase()} with an argument`);
      }
      return fromSystem(name(call.compiler), (system) => system.loginName(), false);
    }),
  ],
  ['SUSER_NAME', niladic(name, (system) => system.loginName(), false)],
  [
    'USER_NAME',
    defined(0, 1, (call) => {
      const id = optionalNumber(call, 0);
      return compiled(name(call.compiler), (ctx) => ctx.system.userName(id(ctx)));
    }),
  ],
  ['APP_NAME', niladic(name, (system) => system.appName())],
  ['HOST_NAME', niladic(name, (system) => system.hostName())],
  ['XACT_STATE', niladic(SMALLINT, (system) => system.transactionState(), false)],
  // UPDATE(column) of a trigger, as the parser writes it.
  ['UPDATE', defined(1, 1, (call) => strict(INT, [textArgument(call, 0)], ([column = null], ctx) => ctx.system.isUpdated(asText(column))))],
  ['COLUMNS_UPDATED', defined(0, 0, () => compiled({ name: 'varbinary', length: 128 }, (ctx) => ctx.system.columnsUpdated()))],
  [
    'TRIGGER_NESTLEVEL',
    defined(0, 3, (call) => {
      if (call.args.length > 1) {
        throw new UnsupportedError('TRIGGER_NESTLEVEL with a type of triggers');
      }
      const id = optionalNumber(call, 0);
      return compiled(INT, (ctx) => ctx.system.triggerNestLevel(id(ctx)), { nullable: false });
    }),
  ],
  ['ROWCOUNT_BIG', niladic(BIGINT, (system) => system.rowCount(), false)],
  ['SCOPE_IDENTITY', niladic(IDENTITY, (system) => system.scopeIdentity())],
  [
    'IDENT_CURRENT',
    defined(1, 1, (call) => strict(IDENTITY, [textArgument(call, 0)], ([table = null], ctx) => ctx.system.identityCurrent(asText(table)))),
  ],
  ['ERROR_NUMBER', caught(INT, (error) => error.number)],
  ['ERROR_SEVERITY', caught(INT, (error) => error.severity)],
  ['ERROR_STATE', caught(INT, (error) => error.state)],
  ['ERROR_LINE', caught(INT, (error) => error.line)],
  ['ERROR_PROCEDURE', caught(name, (error) => error.procedure)],
  [
    'ERROR_MESSAGE',
    caught(
      (compiler) => name(compiler, 4000),
      (error) => error.message,
    ),
  ],
  [
    'SESSION_CONTEXT',
    defined(1, 1, (call) =>
      strict(VARIANT, [textArgument(call, 0)], ([key = null], ctx) => {
        const found = ctx.system.sessionContext(asText(key));
        return found === null || found.value === null ? null : { type: found.type, variant: found.value };
      }),
    ),
  ],
  ['CONTEXT_INFO', niladic({ name: 'varbinary', length: 128 }, (system) => system.contextInfo())],
  [
    'IS_MEMBER',
    defined(1, 1, (call) => strict(INT, [textArgument(call, 0)], ([role = null], ctx) => bit(ctx.system.isMember(asText(role))))),
  ],
  [
    'IS_ROLEMEMBER',
    defined(1, 1, (call) => strict(INT, [textArgument(call, 0)], ([role = null], ctx) => bit(ctx.system.isMember(asText(role))))),
  ],
  [
    'IS_SRVROLEMEMBER',
    defined(1, 1, (call) => strict(INT, [textArgument(call, 0)], ([role = null], ctx) => bit(ctx.system.isServerRoleMember(asText(role))))),
  ],
  ['HAS_PERMS_BY_NAME', defined(3, 5, compilePermission)],
  [
    'SERVERPROPERTY',
    defined(1, 1, (call) =>
      strict(VARIANT, [textArgument(call, 0)], ([property = null], ctx) => {
        const found = ctx.system.serverProperty(asText(property));
        return found === null || found.value === null ? null : { type: found.type, variant: found.value };
      }),
    ),
  ],
  ['SQL_VARIANT_PROPERTY', defined(2, 2, compileVariantProperty)],
  ['PARSENAME', defined(2, 2, compileParseName)],
  ['CHANGE_TRACKING_CURRENT_VERSION', niladic(BIGINT, (system) => system.changeTrackingCurrentVersion())],
  [
    'CHANGE_TRACKING_MIN_VALID_VERSION',
    defined(1, 1, (call) => {
      const { untyped, type } = argument(call, 0);
      if (untyped || type.name === 'tinyint') {
        refuseArgument(call, 0);
      }
      return strict(BIGINT, [argumentAs(call, 0, INT)], ([id = null], ctx) => ctx.system.changeTrackingMinValidVersion(asNumber(id)));
    }),
  ],
  ['CHANGE_TRACKING_IS_COLUMN_IN_MASK', defined(2, 2, compileInMask)],
]);
